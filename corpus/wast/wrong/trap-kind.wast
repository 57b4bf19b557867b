;; EXPECT :3: assert_trap: expected a trap "integer overflow", got a trap: integer divide by zero: function 0
(module (func (export "f") (drop (i32.div_s (i32.const 1) (i32.const 0)))))
(assert_trap (invoke "f") "integer overflow")
