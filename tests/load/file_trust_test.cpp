// Which files may become code. Everything that is no regular file is named and never blocks.
#include "load/file_trust.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support.hpp"

namespace attnrt::load {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;
namespace fs = std::filesystem;

const TrustRules kUser{OwnerRule::kTrustedOwners, {::geteuid()}};

Refusal refusal_of(const std::string& path, const TrustRules& rules = kUser) {
  const auto file = open_trusted(path, rules);
  if (file) return refuse(RefusalKind::kNoCode, "", "it was opened", "");
  return file.error();
}

void expect(const Refusal& refusal, RefusalKind kind, const std::string& says) {
  EXPECT_EQ(refusal.kind, kind) << to_string(refusal.error);
  EXPECT_THAT(refusal.error.found, HasSubstr(says));
  EXPECT_FALSE(refusal.error.expected.empty());
  EXPECT_FALSE(refusal.error.remedy.empty());
  EXPECT_EQ(refusal.error.code, ErrorCode::kPluginRefused);
}

TEST(FileTrust, ARegularFileOfTheUserIsOpenedAndRead) {
  const TempFolder folder;
  testing::write_bytes(folder / "a.so", "hello");
  const auto file = open_trusted(folder / "a.so", kUser);
  ASSERT_TRUE(file) << to_string(file.error().error);
  EXPECT_EQ(file->real_path(), folder / "a.so");
  const auto bytes = read_table<char>(file->source(), 0, 5);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(std::string(bytes->begin(), bytes->end()), "hello");
  EXPECT_FALSE(read_table<char>(file->source(), 1, 5));
  EXPECT_FALSE(read_table<char>(file->source(), UINT64_MAX, 2));
}

TEST(FileTrust, LinksAreFollowedToTheirFile) {
  const TempFolder folder;
  fs::create_directory(folder / "real");
  testing::write_bytes(folder / "real/a.so", "hello");
  fs::create_symlink(folder / "real/a.so", folder / "link.so");
  fs::create_symlink("link.so", folder / "link_to_link.so");
  const auto file = open_trusted(folder / "link_to_link.so", kUser);
  ASSERT_TRUE(file) << to_string(file.error().error);
  EXPECT_EQ(file->real_path(), folder / "real/a.so");
}

TEST(FileTrust, AnAbsentFileIsUnreadable) {
  const TempFolder folder;
  expect(refusal_of(folder / "absent.so"), RefusalKind::kUnreadable, "No such file");
}

TEST(FileTrust, ADanglingLinkIsNamedWithItsTarget) {
  const TempFolder folder;
  fs::create_symlink("/nowhere/at/all.so", folder / "a.so");
  expect(refusal_of(folder / "a.so"), RefusalKind::kDanglingLink, "/nowhere/at/all.so");
}

TEST(FileTrust, ACircleOfLinksIsNamed) {
  const TempFolder folder;
  fs::create_symlink("b.so", folder / "a.so");
  fs::create_symlink("a.so", folder / "b.so");
  expect(refusal_of(folder / "a.so"), RefusalKind::kDanglingLink, "in a circle");
}

TEST(FileTrust, AFifoIsNamedAndNothingBlocks) {
  const TempFolder folder;
  ASSERT_EQ(::mkfifo((folder / "a.so").c_str(), 0600), 0);
  expect(refusal_of(folder / "a.so"), RefusalKind::kNotRegularFile, "a FIFO");
}

TEST(FileTrust, AFolderIsNamed) {
  const TempFolder folder;
  fs::create_directory(folder / "a.so");
  expect(refusal_of(folder / "a.so"), RefusalKind::kNotRegularFile, "a folder");
}

TEST(FileTrust, ADeviceIsNamedEvenBehindALink) {
  const TempFolder folder;
  fs::create_symlink("/dev/zero", folder / "a.so");
  expect(refusal_of(folder / "a.so"), RefusalKind::kNotRegularFile, "a character device");
}

TEST(FileTrust, ASocketIsNamed) {
  const TempFolder folder;
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_GE(socket, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = folder / "a.so";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  expect(refusal_of(path), RefusalKind::kNotRegularFile, "a socket");
  ::close(socket);
}

TEST(FileTrust, AFileThatEverybodyCanWriteIsRefused) {
  const TempFolder folder;
  testing::write_bytes(folder / "a.so", "hello");
  ASSERT_EQ(::chmod((folder / "a.so").c_str(), 0666), 0);
  const Refusal refusal = refusal_of(folder / "a.so");
  expect(refusal, RefusalKind::kUntrusted, "its file");
  EXPECT_THAT(refusal.error.found, HasSubstr("writable by everybody"));
  EXPECT_EQ(refusal.error.remedy, "chmod o-w " + (folder / "a.so"));
}

TEST(FileTrust, AFileInAFolderThatEverybodyCanWriteIsRefused) {
  const TempFolder folder;
  fs::create_directory(folder / "open");
  testing::write_bytes(folder / "open/a.so", "hello");
  // Sticky or not: whoever can add files can shadow a plugin.
  ASSERT_EQ(::chmod((folder / "open").c_str(), 01777), 0);
  expect(refusal_of(folder / "open/a.so"), RefusalKind::kUntrusted, "its folder");
}

TEST(FileTrust, ALinkInAFolderThatEverybodyCanWriteIsRefused) {
  const TempFolder folder;
  fs::create_directory(folder / "open");
  testing::write_bytes(folder / "a.so", "hello");
  fs::create_symlink("../a.so", folder / "open/a.so");
  ASSERT_EQ(::chmod((folder / "open").c_str(), 0777), 0);
  expect(refusal_of(folder / "open/a.so"), RefusalKind::kUntrusted, "its folder");
}

TEST(FileTrust, AFileOfSomebodyElseIsRefused) {
  const TempFolder folder;
  testing::write_bytes(folder / "a.so", "hello");
  const TrustRules others{OwnerRule::kTrustedOwners, {::geteuid() + 1}};
  expect(refusal_of(folder / "a.so", others), RefusalKind::kUntrusted, "belongs to");
}

TEST(FileTrust, AForeignOwnerIsRefusedUntilAnybodyIsTrusted) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const TempFolder folder;
  testing::write_bytes(folder / "a.so", "hello");
  ASSERT_EQ(::chown((folder / "a.so").c_str(), 4242, 4242), 0);
  expect(refusal_of(folder / "a.so", default_trust()), RefusalKind::kUntrusted, "user 4242");
  EXPECT_TRUE(open_trusted(folder / "a.so", {OwnerRule::kAnybody, {}}));
}

TEST(FileTrust, TheUserAndRootAreTrusted) {
  EXPECT_THAT(default_trust().owners, ::testing::IsSupersetOf({::geteuid(), uid_t{0}}));
}

// What needs other users and groups, on made-up facts.
struct ModeCase {
  const char* name;
  mode_t mode;
  bool trusted;
};
void PrintTo(const ModeCase& c, std::ostream* out) { *out << c.name; }
class TrustOfModes : public ::testing::TestWithParam<ModeCase> {};
TEST_P(TrustOfModes, FollowsTheRule) {
  struct stat status = {};
  status.st_uid = 0;
  status.st_gid = 54321;  // nobody's private group
  status.st_mode = S_IFREG | GetParam().mode;
  const auto checked = check_trust(status, "/x.so", "file", {OwnerRule::kTrustedOwners, {0}});
  EXPECT_EQ(checked.ok(), GetParam().trusted);
  EXPECT_TRUE(check_trust(status, "/x.so", "file", {OwnerRule::kAnybody, {}}));
}
INSTANTIATE_TEST_SUITE_P(Modes, TrustOfModes,
                         ::testing::Values(ModeCase{"private_file", 0600, true},
                                           ModeCase{"readable_by_all", 0755, true},
                                           ModeCase{"writable_by_group", 0775, false},
                                           ModeCase{"writable_by_others", 0757, false}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(FileTrust, TheOwnersPrivateGroupMayWrite) {
  struct stat status = {};
  status.st_mode = S_IFREG | 0664;  // root, group root, as a umask of 002 makes it
  EXPECT_TRUE(check_trust(status, "/x.so", "file", {OwnerRule::kTrustedOwners, {0}}));
}

TEST(FileTrust, TheIdentityChangesWithTheFile) {
  const TempFolder folder;
  const std::string path = folder / "a.so";
  testing::write_bytes(path, "hello");
  const auto before = open_regular(path);
  ASSERT_TRUE(before);
  testing::write_bytes(path, "hello, world");
  const auto after = open_regular(path);
  ASSERT_TRUE(after);
  EXPECT_NE(before->identity(), after->identity());
}

}  // namespace
}  // namespace attnrt::load
