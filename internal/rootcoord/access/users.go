package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/rbac"
)

func checkCredential(req *internalpb.CredentialInfo) error {
	if err := checkName("user", req.GetUsername()); err != nil {
		return err
	}
	if req.GetEncryptedPassword() == "" {
		return errors.New("the hash of the password is empty")
	}
	return nil
}

// CreateCredential creates a user. Its password arrives as bcrypt's hash, and as the hash that proxies compare at log-in.
func (h *Handlers) CreateCredential(ctx context.Context, req *internalpb.CredentialInfo) (*commonpb.Status, error) {
	err := checkCredential(req)
	if err == nil {
		err = h.Change(ctx, once, func(ctx context.Context) error { return h.createUser(ctx, req) })
	}
	return status(err, commonpb.ErrorCode_CreateCredentialFailure)
}

func (h *Handlers) createUser(ctx context.Context, req *internalpb.CredentialInfo) error {
	name := req.GetUsername()
	var err error
	h.Tables.Read(func(t *rbac.Tables) {
		var exists bool
		switch _, exists, err = t.User(name); {
		case err != nil:
		case exists:
			err = fmt.Errorf("user already exists: %s", name)
		case len(t.Users()) >= h.rules.MaxUsers:
			err = fmt.Errorf("unable to add user because the number of users has reached the limit %d", h.rules.MaxUsers)
		}
	})
	if err != nil {
		return err
	}
	if err := h.Writer.PutUser(ctx, name, req.GetEncryptedPassword()); err != nil {
		return err
	}
	failpoint.Reach(failpoint.UserWritten)
	if err := h.Proxies.UpdateCredential(ctx, name, req.GetSha256Password()); err != nil {
		// They ask when they are asked for a user that they do not know.
		h.Logger.Warn("proxies have not heard of a new user", zap.String("user", name), zap.Error(err))
	}
	return nil
}

// UpdateCredential stores another password. A proxy that has not heard of it may let the old one in for as long as it
// remembers it; then the answer is an error, and the proxy is told to forget it until it has.
func (h *Handlers) UpdateCredential(ctx context.Context, req *internalpb.CredentialInfo) (*commonpb.Status, error) {
	err := checkCredential(req)
	if err == nil {
		err = h.Change(ctx, repeatable, func(ctx context.Context) error {
			name := req.GetUsername()
			if err := h.Writer.PutUser(ctx, name, req.GetEncryptedPassword()); err != nil {
				return err
			}
			failpoint.Reach(failpoint.UserWritten)
			if err := h.Proxies.UpdateCredential(ctx, name, req.GetSha256Password()); err != nil {
				h.forgetLater(name)
				return fmt.Errorf("the password is stored, but not all proxies have heard of it: %w", err)
			}
			return nil
		})
	}
	return status(err, commonpb.ErrorCode_UpdateCredentialFailure)
}

func (h *Handlers) forgetLater(user string) {
	h.Later("make the proxies forget a password", func(ctx context.Context) error {
		return h.Change(ctx, repeatable, func(ctx context.Context) error { return h.Proxies.InvalidateCredential(ctx, user) })
	})
}

// GetCredential gives the bcrypt hash of a user's password.
func (h *Handlers) GetCredential(
	_ context.Context, req *rootcoordpb.GetCredentialRequest,
) (*rootcoordpb.GetCredentialResponse, error) {
	var hash string
	var found bool
	var err error
	h.Tables.Read(func(t *rbac.Tables) { hash, found, err = t.User(req.GetUsername()) })
	if err == nil && !found {
		err = errs.IoKeyNotFound.With("there is no such user", errs.F("user", req.GetUsername()))
	}
	if err != nil {
		return nil, legacy(err, commonpb.ErrorCode_GetCredentialFailure)
	}
	return &rootcoordpb.GetCredentialResponse{Status: errs.Success(), Username: req.GetUsername(), Password: hash}, nil
}

// DeleteCredential drops a user with the memberships. One that does not exist is dropped already.
func (h *Handlers) DeleteCredential(ctx context.Context, req *milvuspb.DeleteCredentialRequest) (*commonpb.Status, error) {
	name := req.GetUsername()
	err := checkName("user", name)
	if err == nil {
		err = h.Change(ctx, repeatable, func(ctx context.Context) error {
			if err := h.Writer.DropUser(ctx, name); err != nil {
				return err
			}
			failpoint.Reach(failpoint.UserDropped)
			if err := h.Proxies.InvalidateCredential(ctx, name); err != nil {
				h.Logger.Warn("proxies have not heard that a user is gone", zap.String("user", name), zap.Error(err))
				h.forgetLater(name)
			}
			h.tell(ctx, opDropUser, name)
			return nil
		})
	}
	return status(err, commonpb.ErrorCode_DeleteCredentialFailure)
}

// ListCredUsers lists the users' names.
func (h *Handlers) ListCredUsers(context.Context, *milvuspb.ListCredUsersRequest) (*milvuspb.ListCredUsersResponse, error) {
	resp := &milvuspb.ListCredUsersResponse{Status: errs.Success()}
	h.Tables.Read(func(t *rbac.Tables) { resp.Usernames = t.Users() })
	return resp, nil
}

// SelectUser lists users, or the one that is asked for, with their roles if asked.
func (h *Handlers) SelectUser(_ context.Context, req *milvuspb.SelectUserRequest) (*milvuspb.SelectUserResponse, error) {
	resp := &milvuspb.SelectUserResponse{Status: errs.Success()}
	if req.GetUser() != nil && req.GetUser().GetName() == "" {
		return nil, legacy(errors.New("the name of the user is empty"), commonpb.ErrorCode_SelectUserFailure)
	}
	var err error
	h.Tables.Read(func(t *rbac.Tables) {
		users := t.Users()
		if req.GetUser() != nil {
			users = []string{req.GetUser().GetName()}
			var exists bool
			if _, exists, err = t.User(users[0]); !exists {
				return
			}
		}
		for _, name := range users {
			one := &milvuspb.UserResult{User: &milvuspb.UserEntity{Name: name}}
			if req.GetIncludeRoleInfo() {
				one.Roles = roleEntities(t.RolesOf(name))
			}
			resp.Results = append(resp.Results, one)
		}
	})
	if err != nil {
		return nil, legacy(err, commonpb.ErrorCode_SelectUserFailure)
	}
	return resp, nil
}

func roleEntities(names []string) []*milvuspb.RoleEntity {
	var all []*milvuspb.RoleEntity
	for _, name := range names {
		all = append(all, &milvuspb.RoleEntity{Name: name})
	}
	return all
}
