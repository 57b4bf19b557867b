;; EXPECT :3: assert_return: f: expected i32 1 or i32 2, got i32 3
(module (func (export "f") (result i32) (i32.const 3)))
(assert_return (invoke "f") (either (i32.const 1) (i32.const 2)))
