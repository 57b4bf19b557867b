;; EXPECT :3: assert_return: f: expected i32 1, i64 3, got i32 1, i64 2
(module (func (export "f") (result i32 i64) (i32.const 1) (i64.const 2)))
(assert_return (invoke "f") (i32.const 1) (i64.const 3))
