#include "lockstep/core/error.hpp"

#include <cerrno>
#include <cstring>

namespace lockstep {
namespace {

std::string sentence(const std::string& what, const std::string& where, const std::string& hint) {
  std::string text = what;
  if (!where.empty()) text += " · " + where;
  if (!hint.empty()) text += " · " + hint;
  return text;
}

std::string hint_for(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT:
      return "free space or write to another file system; nothing half-written was kept";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose a folder you may write to, or ask its owner for the right";
    case ENOENT:
      return "check the path for a typing mistake and that the file system is mounted on this node";
    case ENOTDIR:
    case EEXIST:
      return "part of the path is a file: choose another folder";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (ulimit -n)";
    case EIO:
      return "the disk or network file system reports a fault; try another folder";
    default:
      return "";
  }
}

}  // namespace

Error::Error(std::string what, std::string where, std::string hint, Exit exit)
    : std::runtime_error(sentence(what, where, hint)),
      message_(std::move(what)),
      where_(std::move(where)),
      hint_(std::move(hint)),
      exit_(exit) {}

Error usage_error(std::string what, std::string where, std::string hint) {
  return Error(std::move(what), std::move(where), std::move(hint), Exit::usage);
}

Error system_error(std::string what, std::string where, int code) {
  return Error(what + ": " + std::strerror(code), std::move(where), hint_for(code));
}

Error defect(std::string what, std::string where) {
  return Error(std::move(what), std::move(where), "this is a defect of lockstep: please report it with this line",
               Exit::defect);
}

}  // namespace lockstep
