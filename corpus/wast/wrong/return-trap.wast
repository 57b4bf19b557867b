;; EXPECT :3: assert_return: f: expected nothing, got a trap: unreachable: function 0
(module (func (export "f") unreachable))
(assert_return (invoke "f"))
