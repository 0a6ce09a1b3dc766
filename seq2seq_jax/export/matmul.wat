;; The source of WASM in seq2seq_web.js: `wat2wasm matmul.wat -o /dev/stdout | base64`, with wabt.
(module
  (memory (export "memory") 1)
  ;; y [rows, O] += x [rows, I] times w [I, O]; all are float32, addressed in bytes.
  ;; The loop goes down w, four rows at a time, so that w is read once for all rows of x, and each
  ;; element of y is read and written once for four products.
  (func (export "matmul") (param $y i32) (param $x i32) (param $w i32)
      (param $rows i32) (param $I i32) (param $O i32)
    (local $width i32) (local $widthX i32) (local $i i32) (local $row i32) (local $xi i32) (local $at i32)
    (local $end i32) (local $end4 i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $w0 i32) (local $w1 i32) (local $w2 i32) (local $w3 i32)
    (local.set $width (i32.shl (local.get $O) (i32.const 2)))
    (local.set $widthX (i32.shl (local.get $I) (i32.const 2)))
    (local.set $i (local.get $I))
    (block $done (loop $down
      (br_if $done (i32.eqz (local.get $i)))
      (local.set $row (local.get $rows))
      (local.set $xi (local.get $x))
      (local.set $at (local.get $y))
      (block $rowsDone (loop $nextRow
        (br_if $rowsDone (i32.eqz (local.get $row)))
        (local.set $end (i32.add (local.get $at) (local.get $width)))
        (local.set $end4 (i32.add (local.get $at) (i32.and (local.get $width) (i32.const -16))))
        (local.set $w0 (local.get $w))
        (local.set $a (v128.load32_splat (local.get $xi)))
        (if (i32.lt_u (local.get $i) (i32.const 4)) (then
          ;; One row of w.
          (block $e1 (loop $l1
            (br_if $e1 (i32.ge_u (local.get $at) (local.get $end4)))
            (v128.store (local.get $at) (f32x4.add (v128.load (local.get $at))
              (f32x4.mul (local.get $a) (v128.load (local.get $w0)))))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (local.set $w0 (i32.add (local.get $w0) (i32.const 16)))
            (br $l1)))
          (block $e2 (loop $l2
            (br_if $e2 (i32.ge_u (local.get $at) (local.get $end)))
            (f32.store (local.get $at) (f32.add (f32.load (local.get $at))
              (f32.mul (f32x4.extract_lane 0 (local.get $a)) (f32.load (local.get $w0)))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (local.set $w0 (i32.add (local.get $w0) (i32.const 4)))
            (br $l2)))
        ) (else
          ;; Four rows of w.
          (local.set $b (v128.load32_splat offset=4 (local.get $xi)))
          (local.set $c (v128.load32_splat offset=8 (local.get $xi)))
          (local.set $d (v128.load32_splat offset=12 (local.get $xi)))
          (local.set $w1 (i32.add (local.get $w0) (local.get $width)))
          (local.set $w2 (i32.add (local.get $w1) (local.get $width)))
          (local.set $w3 (i32.add (local.get $w2) (local.get $width)))
          (block $e3 (loop $l3
            (br_if $e3 (i32.ge_u (local.get $at) (local.get $end4)))
            (v128.store (local.get $at) (f32x4.add (v128.load (local.get $at)) (f32x4.add
              (f32x4.add (f32x4.mul (local.get $a) (v128.load (local.get $w0)))
                         (f32x4.mul (local.get $b) (v128.load (local.get $w1))))
              (f32x4.add (f32x4.mul (local.get $c) (v128.load (local.get $w2)))
                         (f32x4.mul (local.get $d) (v128.load (local.get $w3)))))))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (local.set $w0 (i32.add (local.get $w0) (i32.const 16)))
            (local.set $w1 (i32.add (local.get $w1) (i32.const 16)))
            (local.set $w2 (i32.add (local.get $w2) (i32.const 16)))
            (local.set $w3 (i32.add (local.get $w3) (i32.const 16)))
            (br $l3)))
          (block $e4 (loop $l4
            (br_if $e4 (i32.ge_u (local.get $at) (local.get $end)))
            (f32.store (local.get $at) (f32.add (f32.load (local.get $at)) (f32.add
              (f32.add (f32.mul (f32x4.extract_lane 0 (local.get $a)) (f32.load (local.get $w0)))
                       (f32.mul (f32x4.extract_lane 0 (local.get $b)) (f32.load (local.get $w1))))
              (f32.add (f32.mul (f32x4.extract_lane 0 (local.get $c)) (f32.load (local.get $w2)))
                       (f32.mul (f32x4.extract_lane 0 (local.get $d)) (f32.load (local.get $w3)))))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (local.set $w0 (i32.add (local.get $w0) (i32.const 4)))
            (local.set $w1 (i32.add (local.get $w1) (i32.const 4)))
            (local.set $w2 (i32.add (local.get $w2) (i32.const 4)))
            (local.set $w3 (i32.add (local.get $w3) (i32.const 4)))
            (br $l4)))))
        (local.set $xi (i32.add (local.get $xi) (local.get $widthX)))
        (local.set $row (i32.sub (local.get $row) (i32.const 1)))
        (br $nextRow)))
      (if (i32.lt_u (local.get $i) (i32.const 4)) (then
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (local.set $x (i32.add (local.get $x) (i32.const 4)))
        (local.set $w (i32.add (local.get $w) (local.get $width)))
      ) (else
        (local.set $i (i32.sub (local.get $i) (i32.const 4)))
        (local.set $x (i32.add (local.get $x) (i32.const 16)))
        (local.set $w (i32.add (local.get $w) (i32.shl (local.get $width) (i32.const 2))))))
      (br $down)))))
