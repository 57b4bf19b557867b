;; EXPECT :3: assert_return: f: expected f32 nan:arithmetic, got f32 0x7f800000 (inf)
(module (func (export "f") (result f32) (f32.const inf)))
(assert_return (invoke "f") (f32.const nan:arithmetic))
