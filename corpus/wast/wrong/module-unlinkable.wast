;; EXPECT :2: module: got an unlinkable module: unknown import
(module (import "spectest" "missing" (func)))
