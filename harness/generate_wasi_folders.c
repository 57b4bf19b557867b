/* Statements on folders and on names in them. */
#include "harness/generate_wasi.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Names ---- */

static const struct hx_statement names[] = {
    {6, "x = step(x, \"mkdir\", mkdir($[$new~$new~$new~$any], 0755));"},
    {3, "x = step(x, \"rmdir\", rmdir($[$new~$new~$any]));"},
    {3, "x = step(x, \"unlink\", unlink($[$new~$new~$any]));"},
    {4, "x = step(x, \"rename\", rename($[$new~$new~$any], $new));"},
    {3, "x = step(x, \"link\", link($file, $new));"},
    {3, "x = step(x, \"symlink\", symlink(\"$[notes.txt~deep~../notes.txt~nothing~new1~.]\", $new));"},
    {5, "{\n"
        "struct stat info = {0};\n"
        "x = step(x, \"$[stat~lstat]\", $same($any, &info));\n"
        "x = mix_stat(x, &info);\n"
        "}"},
    {4, "{\n"
        "char target[$[4~20~100]] = \"\";\n"
        "x = step(x, \"readlink\", readlink($[\"link\"~\"through\"~\"round\"~$new~$any], target, sizeof "
        "target));\n"
        "x = mix_bytes(x, target, sizeof target);\n"
        "}"},
    {3, "x = step(x, \"access\", access($any, $[F_OK~R_OK~R_OK | W_OK]));"},
    {4, "{\n"
        "int fd = open($new, O_WRONLY | O_CREAT | $[O_EXCL~O_TRUNC~O_APPEND], 0644);\n"
        "x = step(x, \"open\", fd < 0 ? -1 : 0);\n"
        "if (fd >= 0) {\n"
        "x = step(x, \"write\", write(fd, \"$[1~22~a line\\n]\", $[1~2]));\n"
        "x = step(x, \"close\", close(fd));\n"
        "}\n"
        "}"},
    {3, "{\n"
        "struct stat info = {0};\n"
        "const struct timespec times[2] = {{$many, 0}, {$many$few$few, $[0~500000000]}};\n"
        "x = step(x, \"utimensat\", utimensat(AT_FDCWD, $file, times, $[0~0~AT_SYMLINK_NOFOLLOW]));\n"
        "if (stat($file, &info) == 0)\n"
        "    observe(&info.st_mtim, sizeof info.st_mtim);\n"
        "}"},
    {2, "x = list(x, $folder);"},
};

const struct hx_theme hx_theme_names = {
    .name = "names",
    .purpose = "Makes, renames, links and removes files and folders.",
    .weight = 5,
    .least = 6,
    .most = 11,
    .before = "",
    .after = "",
    .statements = names,
    .count = COUNT(names),
};

/* ---- Folders ---- */

static const struct hx_statement folders[] = {
    {3, "x = list(x, $folder);"},
    {2, "x = list_again(x, $folder, $few);"},
    {3, "{\n"
        "unsigned char pieces[$[64~100~150~1000]];\n"
        "x = list_in_pieces(x, at, pieces, sizeof pieces);\n"
        "}"},
    {1, "x = walk(x, $folder, $[1~2~3]);"},
    {2, "x = step(x, \"mkdirat\", mkdirat(at, \"$[new0~new1~inner~new0/more]\", 0700));"},
    {2, "x = step(x, \"unlinkat\", unlinkat(at, \"$[new0~new1~inner~leaf~e1]\", $[0~AT_REMOVEDIR]));"},
    {2, "x = step(x, \"renameat\", renameat(at, \"$[new0~new1~e2]\", at, \"$[new1~inner~../new2]\"));"},
    {2, "x = step(x, \"linkat\", linkat(at, \"$[inner.txt~leaf~e1~notes.txt]\", at, \"$[new0~new1]\", "
        "$[0~AT_SYMLINK_FOLLOW]));"},
    {2, "{\n"
        "struct stat info = {0};\n"
        "x = step(x, \"fstatat\", fstatat(at, \"$[inner.txt~leaf~e4~link~.]\", &info, "
        "$[0~AT_SYMLINK_NOFOLLOW]));\n"
        "x = mix_stat(x, &info);\n"
        "}"},
    {3, "{\n"
        "int fd = openat(at, \"$[new0~new1~inner.txt~leaf~e5]\", O_RDWR | $[O_CREAT~O_CREAT | "
        "O_EXCL~O_TRUNC], 0600);\n"
        "x = step(x, \"openat\", fd < 0 ? -1 : 0);\n"
        "if (fd >= 0) {\n"
        "x = step(x, \"write\", write(fd, $bytes, $size));\n"
        "x = step(x, \"close\", close(fd));\n"
        "}\n"
        "}"},
    {1, "x = step(x, \"symlinkat\", symlinkat(\"$[leaf~nothing~..]\", at, \"$[new0~new1]\"));"},
    {1, "x = step(x, \"read\", read(at, $bytes, $size));"},
};

const struct hx_theme hx_theme_folders = {
    .name = "folders",
    .purpose = "Lists folders, and works on names in one that is open.",
    .weight = 4,
    .least = 4,
    .most = 10,
    .before = "int at = open($folder, O_RDONLY | O_DIRECTORY);\n"
              "x = step(x, \"open\", at < 0 ? -1 : 0);\n"
              "if (at >= 0) {",
    .after = "x = step(x, \"close\", close(at));\n"
             "}",
    .statements = folders,
    .count = COUNT(folders),
};
