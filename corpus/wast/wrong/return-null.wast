;; EXPECT :3: assert_return: f: expected funcref that is not null, got funcref null
(module (func (export "f") (result funcref) (ref.null func)))
(assert_return (invoke "f") (ref.func))
