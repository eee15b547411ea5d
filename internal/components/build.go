package components

// MilvusVersion is the release whose protocol and layout the coordinators speak; sessions carry it.
const MilvusVersion = "2.5.6"

// Build is what a binary says about itself.
type Build struct {
	Version string // of this product
	Milvus  string // of the Milvus line whose protocol is spoken, as sessions carry it
	Commit  string
	Time    string
}
