;; EXPECT :2: module: got a trap: unreachable
(module (func $f unreachable) (start $f))
