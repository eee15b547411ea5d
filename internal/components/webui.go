package components

import (
	"fmt"
	"net/http"
	"os"

	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/webui"
)

// statusPage makes the page for /webui/; nil if it is switched off.
func (p *process) statusPage(status func() []opshttp.RoleStatus) (http.Handler, error) {
	if !p.cfg.HTTP.WebUI {
		return nil, nil //nolint:nilnil // no page is a value of its own
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("this host's name: %w", err)
	}
	return webui.New(webui.Config{
		Cluster: p.cfg.Etcd.RootPath, MetaRoot: p.cfg.Etcd.MetaRoot(), Roles: Roles(), HostName: host, Version: p.build.Version,
		Status: status, Actions: p.cfg.HTTP.WebActions,
	}, webui.Deps{Client: p.store.client, Members: p.store.members, Logger: p.log})
}
