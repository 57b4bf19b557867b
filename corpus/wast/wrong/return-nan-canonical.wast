;; EXPECT :3: assert_return: f: expected f32 nan:canonical, got f32 0x7fc00001 (nan)
(module (func (export "f") (result f32) (f32.const nan:0x400001)))
(assert_return (invoke "f") (f32.const nan:canonical))
