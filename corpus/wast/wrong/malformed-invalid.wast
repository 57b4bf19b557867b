;; EXPECT :2: assert_malformed: expected a malformed module "unknown type", got an invalid module
(assert_malformed (module binary "\00asm\01\00\00\00" "\03\02\01\00") "unknown type")
