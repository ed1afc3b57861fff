<%@ page contentType="text/plain; charset=UTF-8" %><%@ include file="identity.txt" %>
