;; EXPECT :3: assert_return: f: expected externref 2, got externref 1
(module (func (export "f") (param externref) (result externref) (local.get 0)))
(assert_return (invoke "f" (ref.extern 1)) (ref.extern 2))
