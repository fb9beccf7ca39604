package hftest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// batch says where the bytes of large files go, and nothing of those that are there.
func (h *Hub) batch(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Objects []struct {
			OID  string
			Size int
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	var out []map[string]any
	for _, o := range in.Objects {
		said := map[string]any{"oid": o.OID, "size": o.Size}
		if _, there := h.bytes[o.OID]; !there {
			up := map[string]any{"href": h.URL + "/lfs/" + o.OID + "/0"}
			if h.Part > 0 {
				header := map[string]string{"chunk_size": strconv.Itoa(h.Part)}
				for n := 1; (n-1)*h.Part < o.Size; n++ {
					header[fmt.Sprintf("%05d", n)] = fmt.Sprintf("%s/lfs/%s/%d", h.URL, o.OID, n)
				}
				up = map[string]any{"href": h.URL + "/lfs/complete/" + o.OID, "header": header}
			}
			said["actions"] = map[string]any{"upload": up, "verify": map[string]any{"href": h.URL + "/" + r.PathValue("owner") + "/" + r.PathValue("git") + "/info/lfs/verify"}}
		}
		out = append(out, said)
	}
	answer(w, map[string]any{"transfer": "basic", "objects": out})
}

// keep takes the bytes of a file, if they are those that its name says.
func (h *Hub) keep(w http.ResponseWriter, oid string, data []byte) {
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != oid {
		refuse(w, http.StatusBadRequest, "the bytes have another digest")
		return
	}
	h.bytes[oid] = data
}

func (h *Hub) put(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut off
	}
	oid := r.PathValue("oid")
	n, _ := strconv.Atoi(r.PathValue("part"))
	if n == 0 {
		h.keep(w, oid, data)
		return
	}
	if h.parts[oid] == nil {
		h.parts[oid] = map[int][]byte{}
	}
	h.parts[oid][n] = data
	w.Header().Set("ETag", fmt.Sprintf(`"part-%d-of-%d"`, n, len(data)))
}

func (h *Hub) complete(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Parts []struct {
			Number int `json:"partNumber"`
			ETag   string
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	var data []byte
	for _, p := range in.Parts {
		part := h.parts[r.PathValue("oid")][p.Number]
		if p.ETag != fmt.Sprintf(`"part-%d-of-%d"`, p.Number, len(part)) {
			refuse(w, http.StatusBadRequest, "a part has another tag")
			return
		}
		data = append(data, part...)
	}
	h.keep(w, r.PathValue("oid"), data)
}

func (h *Hub) verify(w http.ResponseWriter, r *http.Request) {
	var in struct {
		OID  string
		Size int
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	if data, ok := h.bytes[in.OID]; !ok || len(data) != in.Size {
		refuse(w, http.StatusBadRequest, "its bytes are not there")
	}
}
