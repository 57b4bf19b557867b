;; EXPECT :3: assert_return: f: expected f64 0x8000000000000000 (-0), got f64 0x0000000000000000 (0)
(module (func (export "f") (result f64) (f64.const 0)))
(assert_return (invoke "f") (f64.const -0))
