package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	plugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	// resource is what a vendor's plugin calls its devices.
	resource = "nvidia.com/gpu"
	socket   = "gpu.sock"
)

// offer registers COUNT stand-in devices with the kubelet whose sockets are in
// FOLDER, and serves them until the process ends.
func offer(args []string) int {
	if len(args) != 2 {
		return usage()
	}
	count, err := strconv.Atoi(args[1])
	if err != nil || count < 0 {
		return usage()
	}
	if err := serve(context.Background(), args[0], count); err != nil {
		fmt.Fprintln(os.Stderr, "device-plugin:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, folder string, count int) error {
	own := filepath.Join(folder, socket)
	if err := os.Remove(own); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", own)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	plugin.RegisterDevicePluginServer(server, devices{count: count})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	connection, err := grpc.NewClient("unix://"+filepath.Join(folder, "kubelet.sock"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = plugin.NewRegistrationClient(connection).Register(ctx, &plugin.RegisterRequest{
		Version: plugin.Version, Endpoint: socket, ResourceName: resource,
	})
	if err != nil {
		return fmt.Errorf("register with the kubelet: %w", err)
	}
	return <-ended
}

// devices is a plugin that offers so many devices, always healthy.
type devices struct {
	plugin.UnimplementedDevicePluginServer
	count int
}

// GetDevicePluginOptions asks for no call beside Allocate.
func (d devices) GetDevicePluginOptions(context.Context, *plugin.Empty) (*plugin.DevicePluginOptions, error) {
	return &plugin.DevicePluginOptions{}, nil
}

// ListAndWatch names the devices once: their health does not change.
func (d devices) ListAndWatch(_ *plugin.Empty, stream plugin.DevicePlugin_ListAndWatchServer) error {
	var list []*plugin.Device
	for i := range d.count {
		list = append(list, &plugin.Device{ID: "GPU-" + strconv.Itoa(i), Health: plugin.Healthy})
	}
	if err := stream.Send(&plugin.ListAndWatchResponse{Devices: list}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// Allocate shows a container its devices as the vendor's plugin does.
func (d devices) Allocate(_ context.Context, request *plugin.AllocateRequest) (*plugin.AllocateResponse, error) {
	response := &plugin.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		response.ContainerResponses = append(response.ContainerResponses, &plugin.ContainerAllocateResponse{
			Envs: map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ",")},
		})
	}
	return response, nil
}
