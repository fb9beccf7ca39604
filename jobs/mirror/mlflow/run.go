package mlflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
)

// run is a run of an experiment there, whose folder of artifacts holds a release: the server
// registers files that came through it from the folder of a run alone.
type run struct {
	Info struct {
		ID        string `json:"run_id"`
		Artifacts string `json:"artifact_uri"`
	} `json:"info"`
}

// folder is the path of the run's artifacts at the server's proxy.
func (u *run) folder() (string, error) {
	at, err := url.Parse(u.Info.Artifacts)
	if err != nil || at.Scheme != "mlflow-artifacts" {
		return "", fmt.Errorf("the server does not take files itself (its runs keep them elsewhere): start it with --serve-artifacts, or use a store on S3 or GCS, whose files are registered where they are")
	}
	folder := strings.Trim(at.Path, "/")
	if path.Clean("/"+folder) != "/"+folder {
		return "", errors.New("the server gives a folder of artifacts that leads out of those that it keeps")
	}
	return folder, nil
}

// run finds or makes the run of a release.
func (r *Registry) run(ctx context.Context, release mirror.Release) (*run, error) {
	experiment, err := r.experiment(ctx, "sprint-"+release.Name)
	if err != nil {
		return nil, fmt.Errorf("experiment sprint-%s: %w", release.Name, err)
	}
	var found struct {
		Runs []run `json:"runs"`
	}
	err = r.call(ctx, http.MethodPost, "runs/search", map[string]any{
		"experiment_ids": []string{experiment}, "filter": "tags.`" + tagDigest + "` = '" + release.Digest + "'", "max_results": 1, "order_by": []string{"attributes.start_time ASC"},
	}, &found)
	if err != nil {
		return nil, fmt.Errorf("look for the run of the version: %w", err)
	}
	if len(found.Runs) > 0 {
		return &found.Runs[0], nil
	}
	var made struct {
		Run run `json:"run"`
	}
	name := fmt.Sprintf("%s@%d", release.Name, release.Version)
	err = r.call(ctx, http.MethodPost, "runs/create", map[string]any{
		"experiment_id": experiment, "run_name": name, "start_time": time.Now().UnixMilli(),
		"tags": []tag{{tagDigest, release.Digest}, {tagVersion, strconv.Itoa(release.Version)}},
	}, &made)
	if err != nil {
		return nil, fmt.Errorf("make the run of the version: %w", err)
	}
	return &made.Run, nil
}

// finish says that a run has ended.
func (r *Registry) finish(ctx context.Context, u *run) error {
	return r.call(ctx, http.MethodPost, "runs/update", map[string]any{"run_id": u.Info.ID, "status": "FINISHED", "end_time": time.Now().UnixMilli()}, nil)
}

// experiment finds or makes an experiment, and returns its ID.
func (r *Registry) experiment(ctx context.Context, name string) (string, error) {
	var found struct {
		Experiment struct {
			ID string `json:"experiment_id"`
		} `json:"experiment"`
	}
	get := func() error {
		return r.call(ctx, http.MethodGet, "experiments/get-by-name?"+url.Values{"experiment_name": {name}}.Encode(), nil, &found)
	}
	err := get()
	if rest.Is(err, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST") {
		err = r.call(ctx, http.MethodPost, "experiments/create", map[string]any{"name": name}, nil)
		if err == nil || rest.Is(err, 0, "RESOURCE_ALREADY_EXISTS") {
			err = get()
		}
	}
	return found.Experiment.ID, err
}
