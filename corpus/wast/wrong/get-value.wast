;; EXPECT :3: assert_return: g: expected i32 2, got i32 1
(module (global (export "g") i32 (i32.const 1)))
(assert_return (get "g") (i32.const 2))
