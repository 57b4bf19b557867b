;; EXPECT :3: assert_trap: expected a trap "", got a trap: unreachable
(module (func (export "f") unreachable))
(assert_trap (invoke "f") "")
