;; EXPECT :5: assert_return: f: expected i32 1, got an error: there is no module before this
(module (func (export "f") (result i32) (i32.const 1)))
(module (import "spectest" "missing" (func))
  (func (export "f") (result i32) (i32.const 1)))
(assert_return (invoke "f") (i32.const 1))
