;; A guest that the host of the timelines' tests makes on the way. It writes to the other's memory as it is made.
(module
  (import "env" "recurse" (func $recurse (param i32) (result i32)))
  (import "env" "memory" (memory 1 12))
  (table $table 2 2 funcref)
  (global $calls (mut i32) (i32.const 1))
  (elem (i32.const 1) $recurse)
  (data (i32.const 20) "from the neighbour")
  (func (export "count") (param $n i32) (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (i32.gt_u (global.get $calls) (i32.const 3)) (then (table.set $table (i32.const 0) (ref.null func))))
    (i32.add (call $recurse (local.get $n)) (global.get $calls))))
