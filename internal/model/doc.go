// Package model holds RootCoord's objects as the coordinators speak of them: plain values, made from records in etcd and
// never changed after that, so that any number of readers may share them.
package model
