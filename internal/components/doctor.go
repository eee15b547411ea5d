package components

import (
	"net/http"
	"os"
	"time"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/doctor"
)

// DoctorConfig is what an examination is about: the configuration's cluster, and the ports of this host.
func DoctorConfig(cfg *config.Config, report *config.Report, patience time.Duration) (doctor.Config, error) {
	host, err := os.Hostname()
	if err != nil {
		return doctor.Config{}, err
	}
	d := doctor.Config{
		Etcd: EtcdConfig(cfg), RootPath: cfg.Etcd.RootPath, MetaRoot: cfg.Etcd.MetaRoot(), KvRoot: cfg.Etcd.KvRoot(),
		Roles: Roles(), Companions: map[string][]string{}, HostName: host, Settings: len(report.Entries),
		HTTP: http.DefaultClient, Patience: patience,
	}
	for _, w := range report.Warnings {
		d.Warnings = append(d.Warnings, w.String())
	}
	for _, name := range Roles() {
		r, err := lookup(name)
		if err != nil {
			return doctor.Config{}, err
		}
		d.Companions[name] = r.companions
		s := r.settings(cfg)
		d.Ports = append(d.Ports, doctor.Port{Key: r.section + ".port", Number: s.ListenPort, ByHand: s.PortSet})
	}
	d.Ports = append(d.Ports, doctor.Port{Key: "common.metricsPort", Number: cfg.HTTP.Port, ByHand: cfg.HTTP.PortSet})
	return d, nil
}
