;; EXPECT :3: assert_exhaustion: expected a trap "call stack exhausted", got success
(module (func (export "f")))
(assert_exhaustion (invoke "f") "call stack exhausted")
