;; EXPECT :2: assert_unlinkable: expected an unlinkable module "unknown import", got success
(assert_unlinkable (module (import "spectest" "print" (func))) "unknown import")
