package slurmtest

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func (c *Cluster) conf() string { return filepath.Join(c.Dir, "slurm.conf") }

// node is the name of the n-th node.
func node(n int) string { return fmt.Sprintf("n%d", n+1) }

// write makes the cluster's folder.
func (c *Cluster) write(o Options) {
	c.t.Helper()
	host, err := os.Hostname()
	if err != nil {
		c.t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	must := func(err error) {
		c.t.Helper()
		if err != nil {
			c.t.Fatal(err)
		}
	}
	must(os.Chmod(c.Dir, 0o755))
	for name, owner := range map[string]string{"state": "slurm", "log": "slurm", "munge": "munge", "spool": ""} {
		dir := filepath.Join(c.Dir, name)
		must(os.Mkdir(dir, 0o755))
		if owner != "" {
			uid, gid := ids(c.t, owner)
			must(os.Chown(dir, uid, gid))
		}
	}
	key := make([]byte, 1024)
	_, _ = rand.Read(key) // which never fails
	must(os.WriteFile(filepath.Join(c.Dir, "munge", "key"), key, 0o600))
	uid, gid := ids(c.t, "munge")
	must(os.Chown(filepath.Join(c.Dir, "munge", "key"), uid, gid))

	var nodes, gpus strings.Builder
	for n := range c.nodes {
		name := node(n)
		must(os.Mkdir(filepath.Join(c.Dir, "spool", name), 0o755))
		fmt.Fprintf(&nodes, "NodeName=%s NodeHostname=%s NodeAddr=127.0.0.1 Port=%d CPUs=%d RealMemory=4000 Gres=gpu:h100:1 State=UNKNOWN\n", name, host, c.ports[1+n], o.CPUs)
		fmt.Fprintf(&gpus, "NodeName=%s Name=gpu Type=h100 File=/dev/null\n", name) // some device must stand in
	}
	must(os.WriteFile(filepath.Join(c.Dir, "gres.conf"), []byte(gpus.String()), 0o644))
	text := strings.NewReplacer("$R", c.Dir, "$H", host, "$NAME", c.name, "$PORT", fmt.Sprint(c.ports[0])).Replace(conf)
	must(os.WriteFile(c.conf(), []byte(text+nodes.String()+partitions+o.Config), 0o644))
}

// conf is a cluster that decides soon: nodes that do not answer are down after ten
// seconds, and a job that is cancelled has two from SIGTERM to SIGKILL unless it asks
// for more.
const conf = `ClusterName=$NAME
SlurmctldHost=$H(127.0.0.1)
SlurmctldPort=$PORT
AuthType=auth/munge
AuthInfo=socket=$R/munge/sock
CredType=cred/munge
SlurmUser=slurm
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
DefMemPerCPU=500
JobAcctGatherType=jobacct_gather/linux
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=30
InactiveLimit=0
KillWait=2
MinJobAge=300
BatchStartTimeout=10
MessageTimeout=10
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
EnforcePartLimits=ALL
StateSaveLocation=$R/state
SlurmctldPidFile=$R/slurmctld.pid
SlurmctldLogFile=$R/log/slurmctld.log
SlurmdPidFile=$R/slurmd-%n.pid
SlurmdSpoolDir=$R/spool/%n
SlurmdLogFile=$R/log/slurmd-%n.log
SlurmdParameters=config_overrides
GresTypes=gpu
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
`

const partitions = `PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10
PartitionName=short Nodes=ALL MaxTime=1 State=UP PriorityTier=1
`
