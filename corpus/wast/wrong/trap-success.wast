;; EXPECT :3: assert_trap: expected a trap "unreachable", got success
(module (func (export "f")))
(assert_trap (invoke "f") "unreachable")
