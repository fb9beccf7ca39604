package graph

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Draw renders the graph as boxes from top to bottom, each with its name and what note
// says of it; lines lead from a node to those that need it. ok is false if it is wider
// than width, unless that is 0.
func (g *Graph) Draw(width int, note func(*Node) string) (text string, ok bool) {
	d := &drawing{}
	d.place(g, note)
	widest := 0
	for _, r := range d.ranks {
		widest = max(widest, rankWidth(r))
	}
	if width > 0 && widest > width {
		return "", false
	}
	d.centre(widest)
	for i, r := range d.ranks {
		if i > 0 {
			d.edges(d.ranks[i-1], r)
		}
		d.boxes(r)
	}
	return d.out.String(), true
}

// cell is a box, or a line that passes a rank on its way down.
type cell struct {
	node  string
	label string // empty for a line that passes
	to    string // of a line that passes: the node it leads to
	needs []*cell
	x     int // of its left edge
	width int
}

func (c *cell) centre() int { return c.x + c.width/2 }

// drawing lays a graph out by ranks: each node stands below all that it needs.
type drawing struct {
	ranks [][]*cell
	out   strings.Builder
}

const boxGap = 3 // between boxes of a rank

// place gives each node a rank and a cell, and each edge over several ranks a line in
// those between.
func (d *drawing) place(g *Graph, note func(*Node) string) {
	rank, cells := map[string]int{}, map[string]*cell{}
	for _, node := range g.Nodes {
		for _, n := range node.Needs {
			rank[node.Name] = max(rank[node.Name], rank[n]+1)
		}
		label := node.Name
		if node.Kind.Name != node.Name {
			label += " (" + node.Kind.Name + ")"
		}
		if note != nil {
			label += "  " + note(node)
		}
		c := &cell{node: node.Name, label: label, width: utf8.RuneCountInString(label) + 4}
		cells[node.Name] = c
		for len(d.ranks) <= rank[node.Name] {
			d.ranks = append(d.ranks, nil)
		}
		d.ranks[rank[node.Name]] = append(d.ranks[rank[node.Name]], c)
	}
	for _, node := range g.Nodes {
		for _, n := range node.Needs {
			from := cells[n]
			for r := rank[n] + 1; r < rank[node.Name]; r++ {
				pass := &cell{node: n, to: node.Name, width: 1, needs: []*cell{from}}
				d.ranks[r] = append(d.ranks[r], pass)
				from = pass
			}
			cells[node.Name].needs = append(cells[node.Name].needs, from)
		}
	}
}

func rankWidth(r []*cell) int {
	sum := boxGap * (len(r) - 1)
	for _, c := range r {
		sum += c.width
	}
	return sum
}

// centre puts each rank in the middle.
func (d *drawing) centre(widest int) {
	for _, r := range d.ranks {
		x := widest/2 - rankWidth(r)/2 // the middle of a single box is that of all
		for _, c := range r {
			c.x = x
			x += c.width + boxGap
		}
	}
}

// canvas is a line of characters.
type canvas []rune

func (c *canvas) set(x int, text string) {
	for _, r := range text {
		for len(*c) <= x {
			*c = append(*c, ' ')
		}
		(*c)[x] = r
		x++
	}
}

func (d *drawing) line(c canvas) {
	d.out.WriteString(strings.TrimRight(string(c), " ") + "\n")
}

func (d *drawing) boxes(r []*cell) {
	var top, middle, bottom canvas
	for _, c := range r {
		if c.label == "" {
			top.set(c.x, "│")
			middle.set(c.x, "│")
			bottom.set(c.x, "│")
			continue
		}
		line := strings.Repeat("─", c.width-2)
		top.set(c.x, "┌"+line+"┐")
		middle.set(c.x, "│ "+c.label+" │")
		bottom.set(c.x, "└"+line+"┘")
	}
	d.line(top)
	d.line(middle)
	d.line(bottom)
}

// edges draws the lines between two ranks: a line of its own for each cell below whose
// needs do not stand right above it, so that no line is taken for another's.
func (d *drawing) edges(above, below []*cell) {
	// waiting are the cells above whose lines go on, by how many cells below need them.
	waiting := map[*cell]int{}
	for _, c := range below {
		for _, n := range c.needs {
			waiting[n]++
		}
	}
	var done []*cell // below, whose line has arrived
	pending := slices.Clone(below)
	slices.SortStableFunc(pending, func(a, b *cell) int { return len(a.needs) - len(b.needs) })
	d.verticals(above, waiting, done)
	for _, c := range pending {
		if len(c.needs) == 0 {
			continue
		}
		straight := len(c.needs) == 1 && c.needs[0].centre() == c.centre()
		for _, n := range c.needs {
			waiting[n]--
		}
		done = append(done, c)
		if straight {
			continue
		}
		d.line(d.bus(c, above, waiting, done))
		d.verticals(above, waiting, done)
	}
}

// verticals draws the lines that go straight on.
func (d *drawing) verticals(above []*cell, waiting map[*cell]int, done []*cell) {
	var c canvas
	for _, a := range above {
		if waiting[a] > 0 {
			c.set(a.centre(), "│")
		}
	}
	for _, b := range done {
		c.set(b.centre(), "│")
	}
	d.line(c)
}

// bus draws the line that gathers what a cell needs and leads to it.
func (d *drawing) bus(to *cell, above []*cell, waiting map[*cell]int, done []*cell) canvas {
	left, right := to.centre(), to.centre()
	from := map[int]bool{}
	for _, n := range to.needs {
		left, right = min(left, n.centre()), max(right, n.centre())
		from[n.centre()] = waiting[n] > 0 // it goes on below
	}
	var c canvas
	for _, a := range above {
		if waiting[a] > 0 {
			c.set(a.centre(), "│")
		}
	}
	for _, b := range done {
		if b != to {
			c.set(b.centre(), "│")
		}
	}
	for x := left; x <= right; x++ {
		goesOn, comes := from[x]
		down := x == to.centre() || goesOn
		crossing := x < len(c) && c[x] == '│' && !comes
		if crossing && x != to.centre() {
			continue // a line of another passes here
		}
		c.set(x, corner(comes, down, x > left, x < right))
	}
	return c
}

// corner is the character in which these ways meet.
func corner(up, down, left, right bool) string {
	return map[[4]bool]string{
		{true, true, true, true}: "┼", {true, true, true, false}: "┤", {true, true, false, true}: "├", {true, true, false, false}: "│",
		{true, false, true, true}: "┴", {true, false, true, false}: "┘", {true, false, false, true}: "└", {true, false, false, false}: "│",
		{false, true, true, true}: "┬", {false, true, true, false}: "┐", {false, true, false, true}: "┌", {false, true, false, false}: "│",
		{false, false, true, true}: "─", {false, false, true, false}: "─", {false, false, false, true}: "─", {false, false, false, false}: " ",
	}[[4]bool{up, down, left, right}]
}

// List renders the graph as a line for each node, for where a drawing does not fit.
func (g *Graph) List(note func(*Node) string) string {
	var b strings.Builder
	for _, node := range g.Nodes {
		text := node.Name
		if note != nil {
			text += "  " + note(node)
		}
		if len(node.Needs) > 0 {
			text += "  <- " + strings.Join(node.Needs, ", ")
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

// Mermaid renders the graph for Markdown that draws Mermaid.
func (g *Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	for i, node := range g.Nodes {
		label := node.Name
		if node.Kind.Name != node.Name {
			label += "<br/>" + node.Kind.Name
		}
		fmt.Fprintf(&b, "  n%d[\"%s\"]\n", i, label)
	}
	for i, node := range g.Nodes {
		for _, n := range node.Needs {
			from := slices.IndexFunc(g.Nodes, func(x *Node) bool { return x.Name == n })
			var read []string
			for _, r := range node.Inputs {
				if r.From == n {
					read = append(read, r.Name)
				}
			}
			if len(read) == 0 {
				fmt.Fprintf(&b, "  n%d --> n%d\n", from, i)
				continue
			}
			fmt.Fprintf(&b, "  n%d -->|%s| n%d\n", from, strings.Join(read, ", "), i)
		}
	}
	return b.String()
}
