package heads

// portableDots are the products of two rows with four others, which lie stride apart in
// rows: those of the first into one, those of the second into two. The length of the two is
// a multiple of lanes.
func portableDots(first, second, rows []float64, stride int, one, two *[lanes]float64) {
	n := len(first)
	second = second[:n]
	for k := range lanes {
		r := rows[k*stride:][:n]
		var a0, a1, b0, b1 float64
		for j := 0; j+1 < n; j += 2 {
			a0 += first[j] * r[j]
			b0 += second[j] * r[j]
			a1 += first[j+1] * r[j+1]
			b1 += second[j+1] * r[j+1]
		}
		one[k], two[k] = a0+a1, b0+b1
	}
}

// portableAxpys adds two rows, each times its factor, to four others, which lie as in
// portableDots.
func portableAxpys(first, second, rows []float64, stride int, one, two *[lanes]float64) {
	n := len(first)
	second = second[:n]
	for k := range lanes {
		r, x, y := rows[k*stride:][:n], one[k], two[k]
		for j, a := range first {
			r[j] += x*a + y*second[j]
		}
	}
}
