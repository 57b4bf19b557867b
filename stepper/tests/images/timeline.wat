;; The guest of the timelines' tests: it changes everything that a guest can change, calls its host, which calls it
;; again, and recurses.
(module
  (import "env" "f" (func $f (param i32) (result i32)))
  (memory (export "memory") 1 12)
  (table $table (export "table") 4 40 funcref)
  (global $count (export "global") (mut i32) (i32.const 7))
  (global $wide (mut i64) (i64.const 1))
  (data $text "a passive segment")
  (elem $functions func $recurse $divide)

  ;; Stores its argument at 512 and on, and calls itself down to 0.
  (func $recurse (export "recurse") (param $n i32) (result i32) (local $at i32)
    (i32.store offset=512
      (local.tee $at (i32.and (i32.shl (local.get $n) (i32.const 2)) (i32.const 0x3fc)))
      (local.get $n))
    (if (result i32) (local.get $n)
      (then (i32.add (call $recurse (i32.sub (local.get $n) (i32.const 1))) (local.get $at)))
      (else (local.get $at))))

  (func $divide (export "divide") (param $by i32) (result i32)
    (i32.div_u (i32.const 1) (local.get $by)))

  (func $grow
    (drop (memory.grow (i32.const 1)))
    (i32.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 8)) (global.get $count))
    (drop (table.grow $table (ref.func $recurse) (i32.const 2))))

  (func $segments
    (memory.init $text (i32.const 60) (i32.const 1) (i32.const 6))
    (data.drop $text)
    (table.init $table $functions (i32.const 0) (i32.const 0) (i32.const 2))
    (elem.drop $functions))

  (func (export "run") (param $rounds i32) (result i32) (local $round i32) (local $sum i32)
    (loop $again
      (i32.store
        (i32.and (i32.mul (local.get $round) (i32.const 5236)) (i32.const 0xfffc))
        (local.get $sum))
      (i32.store8 (i32.const 40) (i32.const 5)) ;; the same value every time
      (global.set $count (i32.add (global.get $count) (local.get $round)))
      (global.set $wide (i64.mul (global.get $wide) (i64.const 3)))
      (if (i32.eqz (i32.and (local.get $round) (i32.const 3))) (then (call $grow)))
      (table.set $table (i32.and (local.get $round) (i32.const 3)) (ref.func $divide))
      (memory.fill (i32.const 2048) (local.get $round) (i32.const 50))
      (memory.copy (i32.const 3072) (i32.const 1024) (i32.const 1024))
      (if (i32.eq (local.get $round) (i32.const 9)) (then (call $segments)))
      (local.set $sum
        (i32.add
          (i32.add (local.get $sum) (call $f (local.get $round)))
          (call $recurse (i32.and (local.get $round) (i32.const 7)))))
      (br_if $again
        (i32.lt_u (local.tee $round (i32.add (local.get $round) (i32.const 1))) (local.get $rounds))))
    (local.get $sum))

  (func (export "ask") (param $n i32) (result i32)
    (call $f (local.get $n))))
