;; Modules that are refused, with the class of the reason.
(assert_invalid (module (func (result i32))) "type mismatch")
(assert_invalid (module (func (drop (i32.add (i32.const 1) (i64.const 1))))) "type mismatch")
(assert_invalid (module (func (br 1))) "unknown label")
(assert_invalid (module (func (drop (local.get 0)))) "unknown local")
(assert_invalid (module (func (call 1))) "unknown function")
(assert_invalid (module (func (drop (i32.load (i32.const 0))))) "unknown memory")
(assert_invalid (module (memory 1) (func (drop (i32.load align=8 (i32.const 0)))))
  "alignment must not be larger than natural")
(assert_invalid (module (memory 2 1)) "size minimum must not be greater than maximum")
(assert_invalid (module (memory 65537)) "memory size must be at most 65536 pages (4GiB)")
(assert_invalid (module (memory 1) (memory 1)) "multiple memories")
(assert_invalid (module (global i32 (i32.const 1)) (func (global.set 0 (i32.const 1)))) "global is immutable")
(assert_invalid (module (global i32 (i32.ctz (i32.const 1)))) "constant expression required")
(assert_invalid (module (func) (export "a" (func 0)) (export "a" (func 0))) "duplicate export name")
(assert_invalid (module (func $f) (func (drop (ref.func $f)))) "undeclared function reference")
(assert_invalid (module (func $f (param i32)) (start $f)) "start function")
(assert_invalid (module (func (data.drop 0))) "unknown data segment")

(assert_malformed (module binary "") "unexpected end")
(assert_malformed (module binary "\00asn\01\00\00\00") "magic header not detected")
(assert_malformed (module binary "\00asm\02\00\00\00") "unknown binary version")
(assert_malformed (module binary "\00asm\01\00\00\00" "\7f\00") "malformed section id")
;; A section of a proposal that the specification does not have yet.
(assert_malformed (module binary "\00asm\01\00\00\00" "\0e\01\00") "malformed section id")
(assert_malformed (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\00\00") "section size mismatch")
(assert_malformed (module binary "\00asm\01\00\00\00" "\01\07\80\80\80\80\80\80\00") "integer representation too long")
(assert_malformed (module binary "\00asm\01\00\00\00" "\00\02\01\ff") "malformed UTF-8 encoding")
;; A drop of nothing is invalid, but the body's `end` is missing too.
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\04\01\60\00\00" "\03\02\01\00" "\0a\07\01\05\00\1a\02\40\0b")
  "unexpected end")

;; Text form is wast2json's affair, and left out.
(assert_malformed (module quote "(func") "unexpected end")
