;; EXPECT :3: assert_return: f: expected i32 8, got i32 7
(module (func (export "f") (result i32) (i32.const 7)))
(assert_return (invoke "f") (i32.const 8))
