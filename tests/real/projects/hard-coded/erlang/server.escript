#!/usr/bin/env escript
%% The port is a literal on purpose, and there is no `reuseaddr`.

main(Args) ->
    Options = [binary, {packet, http_bin}, {active, false}, {backlog, 128}],
    {ok, Listener} = gen_tcp:listen(8000, address(Args) ++ Options),
    accept(Listener).

address([]) -> [{ip, {127, 0, 0, 1}}];
address(["dual"]) -> [inet6, {ipv6_v6only, false}].

accept(Listener) ->
    {ok, Client} = gen_tcp:accept(Listener),
    Server = spawn(fun() -> receive go -> answer(Client) end end),
    %% It may have gone already.
    _ = gen_tcp:controlling_process(Client, Server),
    Server ! go,
    accept(Listener).

answer(Client) ->
    case gen_tcp:recv(Client, 0) of
        {ok, http_eoh} ->
            {ok, Text} = file:read_file("identity.txt"),
            Size = integer_to_binary(byte_size(Text)),
            Head = [<<"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ">>, Size, <<"\r\n\r\n">>],
            _ = gen_tcp:send(Client, [Head, Text]),
            gen_tcp:close(Client);
        {ok, _} ->
            answer(Client);
        {error, _} ->
            gen_tcp:close(Client)
    end.
