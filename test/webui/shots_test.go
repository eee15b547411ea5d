package webui

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// shoot takes a picture of the whole page into a file.
func (p *tab) shoot(path string) {
	p.t.Helper()
	shot, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	require.NoError(p.t, err)
	picture, err := png.Decode(bytes.NewReader(shot))
	require.NoError(p.t, err)
	var small bytes.Buffer
	require.NoError(p.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, reduced(picture)))
	require.NoError(p.t, os.WriteFile(path, small.Bytes(), 0o644))
}

// reduced is a picture in its 256 most frequent colours, so that it takes little room in a repository.
func reduced(picture image.Image) image.Image {
	area, count := picture.Bounds(), map[color.RGBA]int{}
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			count[color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)]++
		}
	}
	var colours []color.RGBA
	for c := range count {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int { return count[b] - count[a] })
	palette := color.Palette{}
	for _, c := range colours[:min(256, len(colours))] {
		palette = append(palette, c)
	}
	few := image.NewPaletted(area, palette)
	draw.Draw(few, area, picture, area.Min, draw.Src)
	return few
}

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
