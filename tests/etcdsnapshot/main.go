// Saves and restores snapshots of etcd, as `etcdctl snapshot save` and `etcdutl snapshot restore` do: those cannot be
// installed as Go modules.
package main

import (
	"context"
	"fmt"
	"os"

	clientv3 "go.etcd.io/etcd/client/v3"
	save "go.etcd.io/etcd/client/v3/snapshot"
	restore "go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
)

// What clients have seen since the snapshot lies below the revisions that follow, so that their watches start anew.
const revisionBump = 1_000_000_000

func main() {
	if len(os.Args) != 5 {
		fail(fmt.Errorf("usage: etcdsnapshot save CLIENT-URL FILE - | restore FILE DATA-FOLDER PEER-URL"))
	}
	var err error
	switch os.Args[1] {
	case "save":
		_, err = save.SaveWithVersion(context.Background(), zap.NewNop(), clientv3.Config{Endpoints: []string{os.Args[2]}}, os.Args[3])
	case "restore":
		err = restore.NewV3(zap.NewNop()).Restore(restore.RestoreConfig{
			SnapshotPath:        os.Args[2],
			Name:                "default",
			OutputDataDir:       os.Args[3],
			PeerURLs:            []string{os.Args[4]},
			InitialCluster:      "default=" + os.Args[4],
			InitialClusterToken: "restored",
			RevisionBump:        revisionBump,
			MarkCompacted:       true,
		})
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	fail(err)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
