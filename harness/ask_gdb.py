# GDB as an outside witness: drives a native image to the stops of findings and says what it shows there. Run inside GDB
# on a launcher that loads the image (ask_gdb.c). LOCKSTEP_IMAGE is the image's path; LOCKSTEP_QUESTIONS a file with a
# line for each finding: number, pc as the image's DWARF has it, how often it is stopped at, and a variable with its path or
# "-". Answers are lines of "lockstep", number, function, line, depth, state or "-", value or "-", stack, with tabs between.
import os

import gdb

SIGNED = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_ENUM)


def in_words(value):
    """A scalar as Lockstep prints it."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_FLT:
        return '%.9g' % float(value) if kind.sizeof == 4 else '%.17g' % float(value)
    if kind.code == gdb.TYPE_CODE_PTR:
        return '0x%x' % int(value) if int(value) else 'null'
    if kind.code == gdb.TYPE_CODE_BOOL:
        return ('false', 'true')[int(value)] if int(value) < 2 else str(int(value))
    if kind.code == gdb.TYPE_CODE_ENUM:
        names = [field.name for field in kind.fields() if field.enumval == int(value)]
        return names[0] if names else str(int(value))
    if kind.code in SIGNED:
        return str(int(value))
    return 'available'


def variable(path, frame):
    """State and value of a variable with its path."""
    root = path.replace('[', '.').split('.')[0]
    try:
        if gdb.lookup_symbol(root, frame.block())[0] is None:
            return 'absent', '-'
        value = gdb.parse_and_eval(path)
        if value.is_optimized_out:
            return 'optimized_out', '-'
        value.fetch_lazy()
        return '-', in_words(value)
    except (gdb.error, RuntimeError) as error:
        if 'optimized out' in str(error):
            return 'optimized_out', '-'
        return 'irretrievable', '-'


def stack():
    """(function, line) of each frame, innermost first, through main."""
    frames = []
    frame = gdb.newest_frame()
    while frame is not None:
        frames.append((frame.name() or '?', frame.find_sal().line))
        if frame.name() == 'main':
            break
        frame = frame.older()
    return frames


def answer(number, path):
    frame = gdb.newest_frame()
    frame.select()
    frames = stack()
    state, value = ('-', '-') if path == '-' else variable(path, frame)
    words = ' < '.join('%s:%d' % entry for entry in frames[:16])
    print('\t'.join(['lockstep', number, frames[0][0], str(frames[0][1]), str(len(frames)), state, value, words]))


def image_base(path):
    for line in gdb.execute('info proc mappings', to_string=True).split('\n'):
        if line.rstrip().endswith(path):
            return int(line.split()[0], 16)
    raise gdb.GdbError('the image is not loaded')


def main():
    for setting in ('confirm off', 'pagination off', 'width 0', 'breakpoint pending on', 'print symbol off'):
        gdb.execute('set ' + setting)
    image = os.environ['LOCKSTEP_IMAGE']
    gdb.execute('tbreak launched', to_string=True)
    gdb.execute('run >/dev/null 2>&1', to_string=True)
    base = image_base(image)
    open_questions = {}
    for line in open(os.environ['LOCKSTEP_QUESTIONS']):
        number, pc, hits, path = line.rstrip('\n').split('\t')
        stop = gdb.Breakpoint('*0x%x' % (base + int(pc, 16)))
        stop.silent = True
        stop.ignore_count = int(hits) - 1
        open_questions[stop.number] = (stop, number, path)
    stopped = []
    gdb.events.stop.connect(lambda event: stopped.extend(getattr(event, 'breakpoints', [])))
    while open_questions:
        stopped.clear()
        gdb.execute('continue', to_string=True)
        if not stopped:
            break
        for breakpoint in list(stopped):
            stop, number, path = open_questions.pop(breakpoint.number)
            answer(number, path)
            stop.delete()


main()
