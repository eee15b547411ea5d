package rpc

import (
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// response makes answers of one method's type that carry nothing but a Status.
type response struct {
	message protoreflect.MessageType
	status  protoreflect.FieldDescriptor // nil if the message itself is the Status
}

var statusName = (*commonpb.Status)(nil).ProtoReflect().Descriptor().FullName()

// with makes the answer.
func (r response) with(s *commonpb.Status) proto.Message {
	if r.status == nil {
		return s
	}
	m := r.message.New()
	m.Set(r.status, protoreflect.ValueOfMessage(s.ProtoReflect()))
	return m.Interface()
}

// responses finds the response types of a service's methods in its descriptor, which the generated code registers.
func responses(desc *grpc.ServiceDesc) (map[string]response, error) {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(desc.ServiceName))
	if err != nil {
		return nil, fmt.Errorf("its descriptor: %w", err)
	}
	service, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("its name is that of a %T", d)
	}
	found := map[string]response{}
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		r, err := responseOf(method.Output())
		if err != nil {
			return nil, fmt.Errorf("method %s: %w", method.Name(), err)
		}
		found[string(method.Name())] = r
	}
	return found, nil
}

func responseOf(output protoreflect.MessageDescriptor) (response, error) {
	message, err := protoregistry.GlobalTypes.FindMessageByName(output.FullName())
	if err != nil {
		return response{}, fmt.Errorf("response %s: %w", output.FullName(), err)
	}
	if output.FullName() == statusName {
		return response{message: message}, nil
	}
	field := output.Fields().ByName("status")
	if field == nil || field.Message() == nil || field.Message().FullName() != statusName {
		return response{}, fmt.Errorf("response %s has no status", output.FullName())
	}
	return response{message: message, status: field}, nil
}

// statusOf is the Status inside an answer, nil if it has none.
func statusOf(resp any) *commonpb.Status {
	switch r := resp.(type) {
	case *commonpb.Status:
		return r
	case interface{ GetStatus() *commonpb.Status }:
		return r.GetStatus()
	}
	return nil
}
