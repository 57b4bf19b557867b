;; EXPECT :2: assert_invalid: expected an invalid module "type mismatch", got success
(assert_invalid (module (func)) "type mismatch")
