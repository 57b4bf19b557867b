;; EXPECT :2: assert_uninstantiable: expected a trap "unreachable", got success
(assert_trap (module (func $f) (start $f)) "unreachable")
