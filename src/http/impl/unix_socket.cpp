#include "http/impl/unix_socket.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace castiel::http::impl {

namespace {

std::unexpected<Error> failed(const std::string& path, std::string_view step) {
  return permanent("listen_failed", fmt::format("Cannot listen on the socket {} ({}).", path, step),
                   ::strerror(errno));
}

Result<> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return failed(path, "stat");
  }
  if (!S_ISSOCK(info.st_mode))
    return permanent("invalid_address", fmt::format("{} exists and is no socket.", path));
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return failed(path, "socket");
  const int connected = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int problem = errno;
  ::close(probe);
  // EAGAIN: somebody listens whose queue is full.
  if (connected == 0 || problem == EAGAIN)
    return permanent("socket_in_use", fmt::format("Another server answers on {}.", path));
  if (problem != ECONNREFUSED) {
    errno = problem;
    return failed(path, "connect");
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed(path, "unlink");
  return {};
}

}  // namespace

Result<int> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return permanent("invalid_address", fmt::format("The socket path {} is longer than {} bytes.", path,
                                                    sizeof(address.sun_path) - 1));
  path.copy(address.sun_path, path.size());
  CASTIEL_TRY(remove_stale(path, address));
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return failed(path, "socket");
  // Before bind, so that the file never exists with wider rights.
  const bool ok = ::fchmod(listener, 0600) == 0 &&
                  ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
                  ::chmod(path.c_str(), 0600) == 0 && ::listen(listener, SOMAXCONN) == 0;
  if (!ok) {
    auto error = failed(path, "bind");
    ::close(listener);
    return error;
  }
  return listener;
}

unsigned long long inode_of(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace castiel::http::impl
