for (int i = 0; i < 2; i++) {
    if (a == i)
        break;
    sum += i;
}
