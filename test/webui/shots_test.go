package webui

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPictures takes the pictures for the docs, into the folder that WEBUI_PICTURES names.
func TestPictures(t *testing.T) {
	folder := os.Getenv("WEBUI_PICTURES")
	if folder == "" {
		t.Skip("WEBUI_PICTURES names no folder")
	}
	window := browser(t)
	s := newStage(t, "rootcoord", "datacoord", "querycoord")
	for _, role := range []string{"rootcoord", "datacoord", "rootcoord", "querycoord", "rootcoord"} {
		s.replaceActive(role, role != "datacoord")
		time.Sleep(time.Second)
	}
	p := open(t, window, s.pairs["rootcoord"][0].HTTP(), view{})
	p.wait(`document.querySelectorAll("tr.member").length === 6 && !document.querySelector(".unwell, .unknown")`, "all is well")
	time.Sleep(3 * time.Second)
	for name, v := range map[string]view{
		"light": {}, "dark": {dark: true}, "phone": {width: 390, height: 844}, "tablet": {width: 800, height: 1000, dark: true},
	} {
		p := open(t, window, s.pairs["rootcoord"][0].HTTP(), v)
		p.wait(`document.getElementById("link").dataset.state === "live"`, "it is connected")
		time.Sleep(2 * time.Second)
		p.shoot(filepath.Join(folder, "webui-"+name+".png"))
		p.clean()
	}
	if os.Getenv("WEBUI_PICTURES_UNWELL") == "" {
		return
	}
	s.pairs["datacoord"][0].Pause()
	s.pairs["querycoord"][0].Kill()
	time.Sleep(4 * time.Second)
	p.shoot(filepath.Join(folder, "unwell.png"))
	s.etcd.Pause()
	time.Sleep(6 * time.Second)
	p.shoot(filepath.Join(folder, "etcd-away.png"))
	s.pairs["rootcoord"][0].Kill()
	time.Sleep(6 * time.Second)
	p.shoot(filepath.Join(folder, "gone.png"))
	s.etcd.Resume()
	require.NotEmpty(t, p.wrong, "it could not connect again")
}
