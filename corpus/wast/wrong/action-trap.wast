;; EXPECT :3: action: got a trap: integer divide by zero: function 0
(module (func (export "f") (drop (i32.div_u (i32.const 1) (i32.const 0)))))
(invoke "f")
