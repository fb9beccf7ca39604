package kubernetes

import "time"

// What is read and written of the API's objects; what else they hold is others'.
// Reference: https://kubernetes.io/docs/reference/kubernetes-api/
type (
	metadata struct {
		Name            string            `json:"name,omitempty"`
		Namespace       string            `json:"namespace,omitempty"`
		UID             string            `json:"uid,omitempty"`
		ResourceVersion string            `json:"resourceVersion,omitempty"`
		Labels          map[string]string `json:"labels,omitempty"`
		Annotations     map[string]string `json:"annotations,omitempty"`
		Created         *time.Time        `json:"creationTimestamp,omitempty"`
		Deleted         *time.Time        `json:"deletionTimestamp,omitempty"`
	}
	listMetadata struct {
		ResourceVersion string `json:"resourceVersion"`
		Continue        string `json:"continue"`
	}
	condition struct {
		Type    string `json:"type"`
		Status  string `json:"status"`
		Reason  string `json:"reason,omitempty"`
		Message string `json:"message,omitempty"`
	}

	job struct {
		APIVersion string    `json:"apiVersion,omitempty"`
		Kind       string    `json:"kind,omitempty"`
		Metadata   metadata  `json:"metadata"`
		Spec       jobSpec   `json:"spec"`
		Status     jobStatus `json:"status,omitzero"`
	}
	jobSpec struct {
		BackoffLimit int      `json:"backoffLimit"`
		Completions  int      `json:"completions"`
		Parallelism  int      `json:"parallelism"`
		TTL          int      `json:"ttlSecondsAfterFinished,omitempty"`
		Suspend      bool     `json:"suspend,omitempty"`
		Template     template `json:"template"`
	}
	jobStatus struct {
		Conditions []condition `json:"conditions,omitempty"`
		Active     int         `json:"active,omitempty"`
		Succeeded  int         `json:"succeeded,omitempty"`
		Failed     int         `json:"failed,omitempty"`
	}
	template struct {
		Metadata metadata `json:"metadata"`
		Spec     podSpec  `json:"spec"`
	}

	pod struct {
		Metadata metadata  `json:"metadata"`
		Spec     podSpec   `json:"spec"`
		Status   podStatus `json:"status,omitzero"`
	}
	podSpec struct {
		NodeName        string              `json:"nodeName,omitempty"`
		RestartPolicy   string              `json:"restartPolicy,omitempty"`
		Containers      []container         `json:"containers"`
		Volumes         []volume            `json:"volumes,omitempty"`
		NodeSelector    map[string]string   `json:"nodeSelector,omitempty"`
		Affinity        *affinity           `json:"affinity,omitempty"`
		Tolerations     []toleration        `json:"tolerations,omitempty"`
		PriorityClass   string              `json:"priorityClassName,omitempty"`
		ServiceAccount  string              `json:"serviceAccountName,omitempty"`
		MountToken      *bool               `json:"automountServiceAccountToken,omitempty"`
		ServiceLinks    *bool               `json:"enableServiceLinks,omitempty"`
		PullSecrets     []reference         `json:"imagePullSecrets,omitempty"`
		Grace           int64               `json:"terminationGracePeriodSeconds"`
		Deadline        int64               `json:"activeDeadlineSeconds,omitempty"`
		HostNetwork     bool                `json:"hostNetwork,omitempty"`
		SecurityContext *podSecurityContext `json:"securityContext,omitempty"`
	}
	affinity struct {
		Node nodeAffinity `json:"nodeAffinity"`
	}
	nodeAffinity struct {
		Required nodeTerms `json:"requiredDuringSchedulingIgnoredDuringExecution"`
	}
	nodeTerms struct {
		Terms []nodeTerm `json:"nodeSelectorTerms"` // one of them is enough
	}
	nodeTerm struct {
		Expressions []expression `json:"matchExpressions"`
	}
	expression struct {
		Key      string   `json:"key"`
		Operator string   `json:"operator"`
		Values   []string `json:"values,omitempty"`
	}
	reference struct {
		Name string `json:"name"`
	}
	podSecurityContext struct {
		RunAsNonRoot *bool           `json:"runAsNonRoot,omitempty"`
		RunAsUser    *int64          `json:"runAsUser,omitempty"`
		RunAsGroup   *int64          `json:"runAsGroup,omitempty"`
		FSGroup      *int64          `json:"fsGroup,omitempty"`
		Seccomp      *seccompProfile `json:"seccompProfile,omitempty"`
	}
	seccompProfile struct {
		Type string `json:"type"`
	}
	securityContext struct {
		Escalation   *bool         `json:"allowPrivilegeEscalation,omitempty"`
		Capabilities *capabilities `json:"capabilities,omitempty"`
	}
	capabilities struct {
		Drop []string `json:"drop"`
	}
	toleration struct {
		Key      string `json:"key,omitempty"`
		Operator string `json:"operator,omitempty"`
		Value    string `json:"value,omitempty"`
		Effect   string `json:"effect,omitempty"`
		Seconds  *int64 `json:"tolerationSeconds,omitempty"`
	}
	volume struct {
		Name     string    `json:"name"`
		EmptyDir *emptyDir `json:"emptyDir,omitempty"`
		Claim    *claim    `json:"persistentVolumeClaim,omitempty"`
	}
	emptyDir struct {
		SizeLimit string `json:"sizeLimit,omitempty"`
	}
	claim struct {
		Name string `json:"claimName"`
	}
	container struct {
		Name            string           `json:"name"`
		Image           string           `json:"image"`
		PullPolicy      string           `json:"imagePullPolicy,omitempty"`
		Command         []string         `json:"command"`
		Env             []variable       `json:"env,omitempty"`
		Resources       resources        `json:"resources,omitzero"`
		Mounts          []mount          `json:"volumeMounts,omitempty"`
		WorkingDir      string           `json:"workingDir,omitempty"`
		SecurityContext *securityContext `json:"securityContext,omitempty"`
		// What a container that cannot say why it ended printed last becomes its message.
		MessagePolicy string `json:"terminationMessagePolicy,omitempty"`
	}
	variable struct {
		Name  string  `json:"name"`
		Value string  `json:"value,omitempty"`
		From  *source `json:"valueFrom,omitempty"`
	}
	source struct {
		Field  *field     `json:"fieldRef,omitempty"`
		Secret *secretKey `json:"secretKeyRef,omitempty"`
	}
	field struct {
		Path string `json:"fieldPath"`
	}
	secretKey struct {
		Name string `json:"name"`
		Key  string `json:"key"`
	}
	resources struct {
		Requests map[string]string `json:"requests,omitempty"`
		Limits   map[string]string `json:"limits,omitempty"`
	}
	mount struct {
		Name string `json:"name"`
		Path string `json:"mountPath"`
	}
	podStatus struct {
		Phase      string            `json:"phase,omitempty"`
		Reason     string            `json:"reason,omitempty"`
		Message    string            `json:"message,omitempty"`
		Conditions []condition       `json:"conditions,omitempty"`
		Containers []containerStatus `json:"containerStatuses,omitempty"`
	}
	containerStatus struct {
		Name  string         `json:"name"`
		State containerState `json:"state"`
	}
	containerState struct {
		Waiting    *waiting    `json:"waiting,omitempty"`
		Running    *struct{}   `json:"running,omitempty"`
		Terminated *terminated `json:"terminated,omitempty"`
	}
	waiting struct {
		Reason  string `json:"reason,omitempty"`
		Message string `json:"message,omitempty"`
	}
	terminated struct {
		ExitCode int    `json:"exitCode"`
		Signal   int    `json:"signal,omitempty"`
		Reason   string `json:"reason,omitempty"`
		Message  string `json:"message,omitempty"`
	}

	node struct {
		Metadata metadata `json:"metadata"`
		Status   struct {
			Conditions  []condition       `json:"conditions,omitempty"`
			Allocatable map[string]string `json:"allocatable,omitempty"`
		} `json:"status,omitzero"`
	}
	event struct {
		Metadata metadata  `json:"metadata"`
		Type     string    `json:"type"`
		Reason   string    `json:"reason"`
		Message  string    `json:"message"`
		Last     time.Time `json:"lastTimestamp"`
	}
	review struct {
		APIVersion string       `json:"apiVersion"`
		Kind       string       `json:"kind"`
		Spec       reviewSpec   `json:"spec"`
		Status     reviewStatus `json:"status,omitzero"`
	}
	reviewSpec struct {
		Attributes attributes `json:"resourceAttributes"`
	}
	attributes struct {
		Namespace   string `json:"namespace,omitempty"`
		Verb        string `json:"verb"`
		Group       string `json:"group,omitempty"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource,omitempty"`
	}
	reviewStatus struct {
		Allowed bool `json:"allowed"`
	}

	list[T any] struct {
		Metadata listMetadata `json:"metadata"`
		Items    []T          `json:"items"`
	}
)

// find is the condition of a type that is true; nil is none.
func find(conditions []condition, kind string) *condition {
	for i := range conditions {
		if conditions[i].Type == kind && conditions[i].Status == "True" {
			return &conditions[i]
		}
	}
	return nil
}
