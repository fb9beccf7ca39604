package gcsblob

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gocloud.dev/blob/driver"
)

// ListPaged implements driver.Bucket: a page of objects and folders in key order.
func (b *Bucket) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	q := url.Values{"fields": {"nextPageToken,prefixes,items(" + fields + ")"}}
	for name, value := range map[string]string{"prefix": o.Prefix, "delimiter": o.Delimiter, "pageToken": string(o.PageToken)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if o.PageSize > 0 {
		q.Set("maxResults", strconv.Itoa(o.PageSize))
	}
	var reply struct {
		NextPageToken string
		Prefixes      []string
		Items         []resource
	}
	if err := b.call(ctx, http.MethodGet, b.objects(""), q, &reply); err != nil {
		return nil, err
	}
	page := &driver.ListPage{NextPageToken: []byte(reply.NextPageToken)}
	for _, x := range reply.Items {
		page.Objects = append(page.Objects, &driver.ListObject{Key: x.Name, ModTime: x.Updated, Size: x.Size, AsFunc: b.As})
	}
	for _, p := range reply.Prefixes {
		page.Objects = append(page.Objects, &driver.ListObject{Key: p, IsDir: true, AsFunc: b.As})
	}
	slices.SortFunc(page.Objects, func(x, y *driver.ListObject) int { return strings.Compare(x.Key, y.Key) })
	return page, nil
}
