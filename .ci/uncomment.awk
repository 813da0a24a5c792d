# uncomment - takes the comments out of C and Lua files, into a copy under the folder `to`.
#
# For:   greps that must not find what a comment says. Lines stay where they were.
# Never: a parser: a comment's sign inside a string counts as one.
FNR == 1 {
    if (out)
        close(out)
    out = to "/" FILENAME
    inside = 0
}
FILENAME ~ /\.lua$/ {
    sub(/--.*/, "")
    print >out
    next
}
{
    text = $0
    kept = ""
    while (text != "") {
        sign = inside ? "*/" : "/*"
        at = index(text, sign)
        if (!inside)
            kept = kept (at ? substr(text, 1, at - 1) : text)
        if (!at)
            break
        text = substr(text, at + 2)
        inside = !inside
    }
    print kept >out
}
