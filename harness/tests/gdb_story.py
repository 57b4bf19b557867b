# Sourced by GDB: what it shows of a program at the first STOPS stops, step by step from the first function of a Csmith program on, as text that is
# the same for a native build and for a guest. Pointers are null or not, the host's frames below main are left out, and so
# are variables whose declaration is not behind the line yet, and lines that only close a block: not every target has code
# for those.
# Usage: gdb -nx -batch -ex 'python STORY=FILE; STOPS=N; SOURCE=FILE.c' -x gdb_story.py --args PROGRAM...
import re

import gdb

ADDRESS = re.compile(r'(\([^()]*\*[^()]*\) )?0x[0-9a-f]+( <[^>]*>)?')


def plain(text):
    text = ADDRESS.sub(lambda at: 'null' if re.search(r'0x0+( |$)', at.group(0) + ' ') else 'pointer', text)
    text = re.sub(r'pointer "(\\.|[^"\\])*"(\.\.\.)?', 'pointer', text) # what a wild one leads to
    return text.replace('__main_argc_argv', 'main')


def frames():
    names = []
    frame = gdb.selected_frame()
    while frame is not None:
        name = plain(frame.name() or '?')
        names.append('%s:%d' % (name, frame.find_sal().line) if not names else name)
        if name == 'main':
            return names
        frame = frame.older()
    return None


def variables(frame):
    line = frame.find_sal().line
    shown = []
    block = frame.block()
    while block is not None and not block.is_global:
        for symbol in block:
            if block.is_static or not symbol.is_variable and not symbol.is_argument:
                continue
            if symbol.line < line or symbol.is_argument:
                shown.append((symbol.line, symbol.name))
        if block.function is not None:
            break
        block = block.superblock
    return [name for _, name in sorted(set(shown))]


def show(out, globals_too):
    frame = gdb.selected_frame()
    out.write('at %s\n' % ' < '.join(frames()))
    for name in variables(frame) + globals_too:
        try:
            text = gdb.execute('print %s' % name, to_string=True)
        except gdb.error as error:
            text = 'error: %s' % error
        out.write('  %s = %s\n' % (name, plain(re.sub(r'^\$\d+ = ', '', text).strip())))


def source_globals(frame):
    block = frame.block().static_block
    names = []
    for side in (block, block.superblock):
        for symbol in side:
            if symbol.is_variable and symbol.name.startswith('g_'):
                names.append((symbol.line, symbol.name))
    return [name for _, name in sorted(names)][:20]


def is_of_source(frame):
    table = frame.find_sal().symtab
    return table is not None and table.filename.endswith(SOURCE)


def main():
    for setting in ('breakpoint pending on', 'confirm off', 'pagination off', 'width 0', 'height 0',
                    'print elements 0', 'print max-depth -1', 'print repeats unlimited', 'print symbol off'):
        gdb.execute('set ' + setting)
    gdb.execute('tbreak func_1')
    gdb.execute('run')
    lines = open(SOURCE).read().split('\n')
    last = None
    names = source_globals(gdb.selected_frame())
    with open(STORY, 'w') as out:
        shown = 0
        while shown < STOPS:
            where = frames()
            if not where:
                break
            line = gdb.selected_frame().find_sal().line
            if where != last and lines[line - 1].strip() not in ('}', '{', '};'):
                show(out, names)
                shown += 1
                last = where
            try:
                gdb.execute('step', to_string=True)
                while not is_of_source(gdb.selected_frame()):
                    gdb.execute('finish', to_string=True)
            except gdb.error:
                break


main()
