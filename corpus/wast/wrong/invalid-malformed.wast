;; EXPECT :2: assert_invalid: expected an invalid module "unexpected end", got a malformed module
(assert_invalid (module binary "\00asm") "unexpected end")
