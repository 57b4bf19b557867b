;; EXPECT :2: assert_malformed: expected a malformed module "unexpected end", got success
(assert_malformed (module binary "\00asm\01\00\00\00") "unexpected end")
