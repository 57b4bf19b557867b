;; EXPECT :3: action: no end after 1.0 s; the script ended here, 1 commands were not run
(module (func (export "f") (loop (br 0))))
(invoke "f")
(invoke "f")
