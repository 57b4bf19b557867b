;; EXPECT :3: assert_return: f: expected f64 nan:arithmetic, got f64 0x7ff4000000000000 (nan)
(module (func (export "f") (result f64) (f64.const nan:0x4000000000000)))
(assert_return (invoke "f") (f64.const nan:arithmetic))
